package caseload

import "strings"

// lands lists the six jurisdictions, BA by its subdivisions. Names in languages other than English follow
// domain.md and are to be reviewed by native speakers.
func lands() []*land {
	return []*land{northMacedonia(), serbia(), federation(), srpska(), brcko(), albania(), kosovo(), montenegro()}
}

func northMacedonia() *land {
	skopje := place{"skopje", names{"en": "Skopje", "mk": "Скопје", "sq": "Shkup"}}
	tetovo := place{"tetovo", names{"en": "Tetovo", "mk": "Тетово", "sq": "Tetovë"}}
	kumanovo := place{"kumanovo", names{"en": "Kumanovo", "mk": "Куманово", "sq": "Kumanovë"}}
	towns := []place{skopje, tetovo, kumanovo}
	return &land{
		code: "MK", prefix: "mk", seat: skopje, nationality: "MK", language: "mk", weight: 4,
		offices: []office{
			{prison, "prison", names{"en": "Prison %s", "mk": "Казнено-поправна установа %s", "sq": "Institucioni ndëshkues-përmirësues %s"}, []place{
				{"idrizovo", names{"en": "Idrizovo", "mk": "Идризово", "sq": "Idrizovë"}}, tetovo}},
			{directorate, "des", names{"en": "Directorate for Execution of Sanctions", "mk": "Управа за извршување на санкциите", "sq": "Drejtoria për Ekzekutimin e Sanksioneve"}, nil},
			{coordinator, "coordinator", names{"en": "National Coordinator for P/CVE and CT", "mk": "Национален координатор", "sq": "Koordinatori Nacional"}, nil},
			{ombudsman, "ombudsman", names{"en": "Ombudsman – NPM", "mk": "Народен правобранител – НПМ", "sq": "Avokati i Popullit – MPN"}, nil},
			{dataProtection, "dpa", names{"en": "Personal Data Protection Agency", "mk": "Агенција за заштита на личните податоци", "sq": "Agjencia për Mbrojtjen e të Dhënave Personale"}, nil},
			{court, "court", names{"en": "Judge for execution of sanctions, %s", "mk": "Судија за извршување на санкции, %s", "sq": "Gjyqtari për ekzekutimin e sanksioneve, %s"}, towns},
			{probation, "probation", names{"en": "Probation Service, %s", "mk": "Пробациска служба, %s", "sq": "Shërbimi i Probacionit, %s"}, towns},
			{csw, "csw", names{"en": "Centre for Social Work %s", "mk": "Центар за социјална работа %s", "sq": "Qendra për Punë Sociale %s"}, towns},
			{employment, "employment", names{"en": "Employment Agency, %s", "mk": "Агенција за вработување, %s", "sq": "Agjencia për Punësim, %s"}, towns},
			{education, "education", names{"en": "Education service, %s", "mk": "Служба за образование, %s", "sq": "Shërbimi i arsimit, %s"}, towns},
			{health, "health", names{"en": "Health centre %s", "mk": "Здравствен дом %s", "sq": "Shtëpia e shëndetit %s"}, towns},
			{police, "police", names{"en": "Ministry of Interior, %s", "mk": "Министерство за внатрешни работи, %s", "sq": "Ministria e Punëve të Brendshme, %s"}, towns},
			{municipality, "municipality", names{"en": "Municipality of %s", "mk": "Општина %s", "sq": "Komuna e %s"}, towns},
			{civilSociety, "ngo", names{"en": "Association New Path (%s)", "mk": "Здружение Нов пат (%s)", "sq": "Shoqata Rruga e Re (%s)"}, []place{{"nov-pat", skopje.name}}},
			{religious, "islamic-community", names{"en": "Islamic Religious Community", "mk": "Исламска верска заедница", "sq": "Bashkësia Fetare Islame"}, nil},
		},
		men:      []string{"Stojan", "Goran", "Ljupcho", "Arben", "Darko", "Besnik", "Vlatko", "Ilir", "Marjan", "Toni"},
		women:    []string{"Ana", "Vesna", "Elena", "Lindita", "Zorica", "Fatmire", "Sonja", "Katerina"},
		surnames: []string{"Javorovski", "Kremenov", "Belokamenski", "Vetrovski", "Orlovikj", "Lisichkov", "Gorskov", "Bregovski", "Maglovski", "Rosenov", "Shumarov", "Rekovski"},
		feminine: func(s string) string {
			if base, ok := strings.CutSuffix(s, "ski"); ok {
				return base + "ska"
			}
			if strings.HasSuffix(s, "ov") {
				return s + "a"
			}
			return s
		},
	}
}

func serbia() *land {
	nis := place{"nis", names{"en": "Niš", "sr-Latn": "Niš"}}
	beograd := place{"beograd", names{"en": "Belgrade", "sr-Latn": "Beograd"}}
	pazar := place{"novi-pazar", names{"en": "Novi Pazar", "sr-Latn": "Novi Pazar"}}
	towns := []place{nis, beograd, pazar}
	return &land{
		code: "RS", prefix: "rs", seat: beograd, nationality: "RS", language: "sr-Latn", weight: 3,
		offices: []office{
			{prison, "prison", names{"en": "Prison %s", "sr-Latn": "Kazneno-popravni zavod %s"}, []place{nis,
				{"sremska-mitrovica", names{"en": "Sremska Mitrovica"}}, {"pozarevac", names{"en": "Požarevac"}}}},
			{directorate, "des", names{"en": "Administration for Enforcement of Penal Sanctions", "sr-Latn": "Uprava za izvršenje krivičnih sankcija"}, nil},
			{coordinator, "coordinator", names{"en": "National Coordinator for P/CVE and CT", "sr-Latn": "Nacionalni koordinator"}, nil},
			{ombudsman, "ombudsman", names{"en": "Protector of Citizens – NPM", "sr-Latn": "Zaštitnik građana – NPM"}, nil},
			{dataProtection, "dpa", names{"en": "Commissioner for Personal Data Protection", "sr-Latn": "Poverenik"}, nil},
			{court, "court", names{"en": "Higher Court in %s", "sr-Latn": "Viši sud – %s"}, towns},
			{probation, "commissioner", names{"en": "Commissioner Service, %s", "sr-Latn": "Poverenička služba, %s"}, towns},
			{csw, "csw", names{"en": "Centre for Social Work %s", "sr-Latn": "Centar za socijalni rad %s"}, towns},
			{employment, "employment", names{"en": "National Employment Service, %s", "sr-Latn": "Nacionalna služba za zapošljavanje, %s"}, towns},
			{education, "education", names{"en": "School administration, %s", "sr-Latn": "Školska uprava, %s"}, towns},
			{health, "health", names{"en": "Health centre %s", "sr-Latn": "Dom zdravlja %s"}, towns},
			{police, "police", names{"en": "Police administration, %s", "sr-Latn": "Policijska uprava, %s"}, towns},
			{municipality, "municipality", names{"en": "City of %s", "sr-Latn": "Grad %s"}, towns},
			{civilSociety, "ngo", names{"en": "Association Return (%s)", "sr-Latn": "Udruženje Povratak (%s)"}, []place{{"povratak", beograd.name}}},
			{religious, "islamic-community", names{"en": "Islamic community", "sr-Latn": "Islamska zajednica"}, nil},
		},
		men: []string{"Marko", "Nenad", "Dragan", "Emir", "Luka", "Senad", "Igor", "Bojan", "Mirza", "Zoran"}, women: []string{"Milena", "Sanja", "Ivana", "Amela", "Jelena", "Tijana", "Dragana", "Selma"},
		surnames: []string{"Vetrić", "Javorić", "Kamenić", "Rosić", "Lugović", "Planić", "Dubravić", "Topolić", "Zlatarović", "Brezić", "Potočić", "Oblačić"},
	}
}

func bosnian(l *land, towns, prisons []place, csws string) *land {
	l.code, l.nationality = "BA", "BA"
	l.offices = []office{
		{prison, "prison", names{"en": "Prison %s", "bs": "Kazneno-popravni zavod %s"}, prisons},
		{directorate, "des", names{"en": "Ministry of Justice, execution of sanctions", "bs": "Ministarstvo pravde, izvršenje sankcija"}, nil},
		{coordinator, "coordinator", names{"en": "Ministry of Security, coordinator for P/CVE", "bs": "Ministarstvo sigurnosti, koordinator"}, nil},
		{ombudsman, "ombudsman", names{"en": "Human Rights Ombudsmen", "bs": "Ombudsmeni za ljudska prava"}, nil},
		{dataProtection, "dpa", names{"en": "Personal Data Protection Agency (AZLP)", "bs": "Agencija za zaštitu ličnih podataka"}, nil},
		{court, "court", names{"en": "Court in %s", "bs": "Sud – %s"}, towns},
		{csw, "csw", names{"en": csws + " %s", "bs": "Centar za socijalni rad %s"}, towns},
		{employment, "employment", names{"en": "Employment service, %s", "bs": "Služba za zapošljavanje, %s"}, towns},
		{education, "education", names{"en": "Education service, %s", "bs": "Služba za obrazovanje, %s"}, towns},
		{health, "health", names{"en": "Health centre %s", "bs": "Dom zdravlja %s"}, towns},
		{police, "police", names{"en": "Police, %s", "bs": "Policija, %s"}, towns},
		{municipality, "municipality", names{"en": "Municipality of %s", "bs": "Općina %s"}, towns},
		{civilSociety, "ngo", names{"en": "Association Bridge (%s)", "bs": "Udruženje Most (%s)"}, []place{{"most", l.seat.name}}},
		{religious, "islamic-community", names{"en": "Islamic Community", "bs": "Islamska zajednica"}, nil},
	}
	l.men = []string{"Adnan", "Jasmin", "Nedim", "Samir", "Dario", "Mladen", "Haris", "Edin", "Vedran", "Tarik"}
	l.women = []string{"Amra", "Lejla", "Maja", "Nermina", "Ivona", "Sabina", "Tanja", "Emina"}
	return l
}

func federation() *land {
	sarajevo := place{"sarajevo", names{"en": "Sarajevo"}}
	zenica := place{"zenica", names{"en": "Zenica"}}
	return bosnian(&land{subdivision: "BA-BIH", prefix: "ba-bih", seat: sarajevo, language: "bs", weight: 1,
		surnames: []string{"Javorić", "Brezović", "Sokolarić", "Vrelić", "Planinčić", "Kamenović", "Lipović", "Jezerčić", "Rudarić", "Mostarčić"}},
		[]place{zenica, sarajevo}, []place{zenica, {"mostar", names{"en": "Mostar"}}}, "Centre for Social Work")
}

func srpska() *land {
	luka := place{"banja-luka", names{"en": "Banja Luka"}}
	foca := place{"foca", names{"en": "Foča"}}
	return bosnian(&land{subdivision: "BA-SRP", prefix: "ba-srp", seat: luka, language: "bs", weight: 1,
		surnames: []string{"Vrbasić", "Drinjanić", "Klenović", "Smrekić", "Tisović", "Gajčić", "Borikić", "Šljivarić", "Stijenić", "Zvečanić"}},
		[]place{luka, foca}, []place{foca, luka}, "Centre for Social Work")
}

func brcko() *land {
	brcko := place{"brcko", names{"en": "Brčko"}}
	return bosnian(&land{subdivision: "BA-BRC", prefix: "ba-brc", seat: brcko, language: "bs", weight: 1,
		surnames: []string{"Savčić", "Lukavčić", "Posavić", "Ravnić", "Čamdžić", "Skeledžić", "Obalić", "Pristanić"}},
		[]place{brcko}, []place{brcko}, "Social Welfare Centre")
}

func albania() *land {
	tirana := place{"tirana", names{"en": "Tirana", "sq": "Tiranë"}}
	elbasan := place{"elbasan", names{"en": "Elbasan", "sq": "Elbasan"}}
	shkoder := place{"shkoder", names{"en": "Shkodër", "sq": "Shkodër"}}
	towns := []place{tirana, elbasan, shkoder}
	return &land{
		code: "AL", prefix: "al", seat: tirana, nationality: "AL", language: "sq", weight: 2,
		offices: []office{
			{prison, "prison", names{"en": "Prison %s", "sq": "Institucioni i ekzekutimit të vendimeve penale %s"}, []place{
				{"peqin", names{"en": "Peqin"}}, {"fushe-kruje", names{"en": "Fushë-Krujë"}}}},
			{directorate, "des", names{"en": "General Directorate of Prisons", "sq": "Drejtoria e Përgjithshme e Burgjeve"}, nil},
			{coordinator, "coordinator", names{"en": "National Coordinator for CVE", "sq": "Koordinatori Kombëtar"}, nil},
			{ombudsman, "ombudsman", names{"en": "People's Advocate – NPM", "sq": "Avokati i Popullit – MKPT"}, nil},
			{dataProtection, "dpa", names{"en": "Commissioner for Data Protection", "sq": "Komisioneri"}, nil},
			{court, "court", names{"en": "Court of %s", "sq": "Gjykata %s"}, towns},
			{probation, "probation", names{"en": "Probation Service, %s", "sq": "Shërbimi i Provës, %s"}, towns},
			{employment, "employment", names{"en": "Employment office, %s", "sq": "Zyra e Punësimit, %s"}, towns},
			{education, "education", names{"en": "Education office, %s", "sq": "Zyra Arsimore, %s"}, towns},
			{health, "health", names{"en": "Health centre %s", "sq": "Qendra shëndetësore %s"}, towns},
			{police, "police", names{"en": "State Police, %s", "sq": "Policia e Shtetit, %s"}, towns},
			{municipality, "municipality", names{"en": "Municipality of %s, social services", "sq": "Bashkia %s, shërbimet sociale"}, towns},
			{civilSociety, "ngo", names{"en": "Association Second Chance (%s)", "sq": "Shoqata Shansi i Dytë (%s)"}, []place{{"shansi-i-dyte", tirana.name}}},
			{religious, "muslim-community", names{"en": "Muslim Community", "sq": "Komuniteti Mysliman"}, nil},
		},
		men: []string{"Arben", "Gentian", "Ilir", "Dritan", "Ervin", "Bledar", "Fatos", "Altin", "Kastriot", "Sokol"}, women: []string{"Mirela", "Ardita", "Valbona", "Edlira", "Suela", "Anila", "Brunilda", "Teuta"},
		surnames: []string{"Gurëzi", "Malëziu", "Lumaj", "Bregaj", "Ujkaj", "Shkrepi", "Fushaj", "Detari", "Kodraliu", "Pishaj", "Retaj", "Agimaj"},
	}
}

func kosovo() *land {
	prishtina := place{"prishtina", names{"en": "Prishtina", "sq": "Prishtinë", "sr-Latn": "Priština"}}
	prizren := place{"prizren", names{"en": "Prizren", "sq": "Prizren", "sr-Latn": "Prizren"}}
	peja := place{"peja", names{"en": "Peja", "sq": "Pejë", "sr-Latn": "Peć"}}
	towns := []place{prishtina, prizren, peja}
	return &land{
		code: "XK", prefix: "xk", seat: prishtina, nationality: "XK", language: "sq", weight: 2,
		offices: []office{
			{prison, "prison", names{"en": "Correctional centre %s", "sq": "Qendra korrektuese %s", "sr-Latn": "Popravni centar %s"}, []place{
				{"dubrava", names{"en": "Dubrava", "sq": "Dubravë"}}, {"lipjan", names{"en": "Lipjan", "sr-Latn": "Lipljan"}}}},
			{directorate, "des", names{"en": "Correctional Service", "sq": "Shërbimi Korrektues", "sr-Latn": "Popravna služba"}, nil},
			{coordinator, "coordinator", names{"en": "National Coordinator for P/CVE", "sq": "Koordinatori Nacional", "sr-Latn": "Nacionalni koordinator"}, nil},
			{ombudsman, "ombudsman", names{"en": "Ombudsperson – NPM", "sq": "Avokati i Popullit – MKPT", "sr-Latn": "Ombudsman – NPM"}, nil},
			{dataProtection, "dpa", names{"en": "Information and Privacy Agency", "sq": "AIP", "sr-Latn": "AIP"}, nil},
			{court, "court", names{"en": "Basic Court in %s", "sq": "Gjykata Themelore në %s", "sr-Latn": "Osnovni sud, %s"}, towns},
			{probation, "probation", names{"en": "Probation Service, %s", "sq": "Shërbimi Sprovues, %s", "sr-Latn": "Probaciona služba, %s"}, towns},
			{csw, "csw", names{"en": "Centre for Social Work %s", "sq": "Qendra për Punë Sociale %s", "sr-Latn": "Centar za socijalni rad %s"}, towns},
			{employment, "employment", names{"en": "Employment Agency, %s", "sq": "Agjencia e Punësimit, %s", "sr-Latn": "Agencija za zapošljavanje, %s"}, towns},
			{education, "education", names{"en": "Education directorate, %s", "sq": "Drejtoria e Arsimit, %s", "sr-Latn": "Uprava za obrazovanje, %s"}, towns},
			{health, "health", names{"en": "Family medicine centre %s", "sq": "Qendra e mjekësisë familjare %s", "sr-Latn": "Centar porodične medicine %s"}, towns},
			{police, "police", names{"en": "Police, %s", "sq": "Policia, %s", "sr-Latn": "Policija, %s"}, towns},
			{municipality, "municipality", names{"en": "Municipality of %s", "sq": "Komuna e %s", "sr-Latn": "Opština %s"}, towns},
			{civilSociety, "ngo", names{"en": "Association Hope (%s)", "sq": "Shoqata Shpresa (%s)", "sr-Latn": "Udruženje Nada (%s)"}, []place{{"shpresa", prishtina.name}}},
			{religious, "islamic-community", names{"en": "Islamic Community", "sq": "Bashkësia Islame", "sr-Latn": "Islamska zajednica"}, nil},
		},
		men: []string{"Burim", "Liridon", "Valon", "Agron", "Visar", "Blerim", "Nenad", "Faton", "Driton", "Petrit"}, women: []string{"Vjosa", "Arta", "Mimoza", "Blerta", "Shpresa", "Jelena", "Diellza", "Albana"},
		surnames: []string{"Bjeshkaj", "Drenari", "Lisaj", "Rrezja", "Guraliu", "Krojaj", "Shegaj", "Arrëza", "Borëza", "Lugaj", "Zallari", "Ahishtaj"},
	}
}

func montenegro() *land {
	podgorica := place{"podgorica", names{"en": "Podgorica"}}
	polje := place{"bijelo-polje", names{"en": "Bijelo Polje"}}
	bar := place{"bar", names{"en": "Bar"}}
	towns := []place{podgorica, polje, bar}
	return &land{
		code: "ME", prefix: "me", seat: podgorica, nationality: "ME", language: "bs", weight: 2,
		offices: []office{
			{prison, "prison", names{"en": "Prison %s", "bs": "Zatvor %s"}, []place{{"spuz", names{"en": "Spuž"}}, polje}},
			{directorate, "des", names{"en": "Administration for Execution of Criminal Sanctions", "bs": "Uprava za izvršenje krivičnih sankcija"}, nil},
			{coordinator, "coordinator", names{"en": "National Coordinator for P/CVE", "bs": "Nacionalni koordinator"}, nil},
			{ombudsman, "ombudsman", names{"en": "Protector of Human Rights – NPM", "bs": "Zaštitnik ljudskih prava – NPM"}, nil},
			{dataProtection, "dpa", names{"en": "Agency for Personal Data Protection (AZLP)", "bs": "Agencija za zaštitu ličnih podataka"}, nil},
			{court, "court", names{"en": "High Court, %s", "bs": "Viši sud, %s"}, towns},
			{probation, "probation", names{"en": "Probation service, %s", "bs": "Služba probacije, %s"}, towns},
			{csw, "csw", names{"en": "Centre for Social Work %s", "bs": "Centar za socijalni rad %s"}, towns},
			{employment, "employment", names{"en": "Employment Agency, %s", "bs": "Zavod za zapošljavanje, %s"}, towns},
			{education, "education", names{"en": "Education service, %s", "bs": "Služba za obrazovanje, %s"}, towns},
			{health, "health", names{"en": "Health centre %s", "bs": "Dom zdravlja %s"}, towns},
			{police, "police", names{"en": "Police Administration, %s", "bs": "Uprava policije, %s"}, towns},
			{municipality, "municipality", names{"en": "Municipality of %s", "bs": "Opština %s"}, towns},
			{civilSociety, "ngo", names{"en": "Association Horizon (%s)", "bs": "Udruženje Horizont (%s)"}, []place{{"horizont", podgorica.name}}},
			{religious, "islamic-community", names{"en": "Islamic Community", "bs": "Islamska zajednica"}, nil},
		},
		men: []string{"Vuk", "Miloš", "Danilo", "Rifat", "Andrija", "Balša", "Elvis", "Filip", "Ermin", "Nikola"}, women: []string{"Nataša", "Marija", "Ajla", "Tamara", "Milica", "Merima", "Kristina", "Vanja"},
		surnames: []string{"Lovćenić", "Morakić", "Tarić", "Orjenović", "Skadarić", "Zetarić", "Komović", "Limić", "Primorčić", "Kršić", "Maslinić", "Gorjanić"},
	}
}
